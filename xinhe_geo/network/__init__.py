"""Streets as a walking network: built from lines or OpenStreetMap, snapped to, searched exactly, cut where metres run out."""

from .buffers import frontage
from .nearest import Nearest, SearchState
from .osm import WalkFilter, WalkRules, excluded_ways, read_osm_streets, walk_rules, walkable
from .osm_file import Extract, explained, in_order, own_id, processor
from .osmnx_graphs import Graph, graph_edges
from .routes import Leg, Way, WayTree, straight, walked
from .walk_network import WalkNetwork, network_of
