"""Streets as a walking network: built from lines or OpenStreetMap, snapped to, searched exactly, cut where metres run out."""

from .buffers import frontage
from .nearest import SearchState
from .osm import excluded_ways, read_osm_streets, walkable
from .osmnx_graphs import Graph, graph_edges
from .routes import Leg, Way, WayTree, straight, walked
from .walk_network import WalkNetwork, network_of

__all__ = [
    "Graph",
    "Leg",
    "SearchState",
    "WalkNetwork",
    "Way",
    "WayTree",
    "excluded_ways",
    "frontage",
    "graph_edges",
    "network_of",
    "read_osm_streets",
    "straight",
    "walkable",
    "walked",
]
