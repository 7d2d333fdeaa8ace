"""One module a data set, each turning a folder or archive into the same table."""
