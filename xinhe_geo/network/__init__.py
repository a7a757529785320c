"""Streets as a walking network: built from lines or OpenStreetMap, snapped to, searched exactly, cut where metres run out."""

from .buffers import frontage
from .nearest import SearchState
from .osm import WalkFilter, WalkRules, excluded_ways, read_osm_streets, walk_rules, walkable
from .osm_file import Extract, explained, in_order, own_id, processor
from .osmnx_graphs import Graph, graph_edges
from .routes import Leg, Way, WayTree, straight, walked
from .walk_network import WalkNetwork, network_of

__all__ = [
    "Extract",
    "Graph",
    "Leg",
    "SearchState",
    "WalkFilter",
    "WalkNetwork",
    "WalkRules",
    "Way",
    "WayTree",
    "excluded_ways",
    "explained",
    "frontage",
    "graph_edges",
    "in_order",
    "network_of",
    "own_id",
    "processor",
    "read_osm_streets",
    "straight",
    "walk_rules",
    "walkable",
    "walked",
]
