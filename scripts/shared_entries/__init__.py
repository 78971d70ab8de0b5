"""How bundled entries compare with the programs that they came from, and how their examples were made."""
