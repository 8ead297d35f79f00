"""What follows from a node's taints and from its being cordoned."""
