"""The parts of a report, a module each: tables for Excel, layers for GIS, the page, the record and the folder it lies in."""
