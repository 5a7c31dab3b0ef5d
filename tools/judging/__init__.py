"""What `tools/parity` needs: golden folders, networks made from seeds, tolerances, and a judge per kind of part."""
