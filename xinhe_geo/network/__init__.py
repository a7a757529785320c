"""Streets as a walking network: built from lines or OpenStreetMap, snapped to, searched exactly, cut where metres run out."""

from .buffers import frontage
from .nearest import SearchState
from .osm import excluded_ways, read_osm_streets, walkable
from .osm_file import Extract, explained, in_order, own_id
from .osmnx_graphs import graph_edges
from .routes import Leg, Way, WayTree, straight, walked
from .walk_network import WalkNetwork

__all__ = [
    "Extract",
    "Leg",
    "SearchState",
    "WalkNetwork",
    "Way",
    "WayTree",
    "excluded_ways",
    "explained",
    "frontage",
    "graph_edges",
    "in_order",
    "own_id",
    "read_osm_streets",
    "straight",
    "walkable",
    "walked",
]
