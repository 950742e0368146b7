"""Every message is classified and routed, once and in its turn, before anybody answers it."""
