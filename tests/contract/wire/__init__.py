"""Local servers that speak Yahoo's and Alpaca's wire format; the clients run against them are the real ones."""
