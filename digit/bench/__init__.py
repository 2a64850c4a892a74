"""What everything costs on this computer: networks, the whole loop, growth, and where a network's time goes."""
