"""A face detector of one's own: labels, pictures, network, training task, figures, export."""
