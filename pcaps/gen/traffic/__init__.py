"""What comes to our networks from outside, by the thousand: scans, and all that is none."""
