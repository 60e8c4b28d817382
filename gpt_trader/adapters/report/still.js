/* A page of still charts: nothing is left to draw. */
