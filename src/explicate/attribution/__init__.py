"""Attribution: how much each feature contributed to a score."""
