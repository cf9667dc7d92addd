"""A household's gallery drawn: one HTML page and PNG pictures, without any face in them."""
