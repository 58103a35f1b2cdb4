/** Where one sees what became of a pause. */
export const LOOK = 'look at the pauses in force before you try again';

/** In the path all destinations are a star. */
export const ALL = '*';
