"""How a painting becomes a style file: network, losses, loop and export."""
