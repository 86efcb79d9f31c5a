"""The networks that MgNO is compared with."""
