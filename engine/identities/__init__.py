"""The identity graph of a home: kept up with the lake, asked by stitching, shown to people."""
