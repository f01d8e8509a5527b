"""Operations on a dom0, whatever host it is on; no printing."""
