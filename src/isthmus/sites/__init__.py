"""Sites: the driver contract, and one folder for each technology that can host nodes."""
