"""In place of Home Assistant's cloud library, which needs a compiler."""
