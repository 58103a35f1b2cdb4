/** What every deadline that only bounds a broken test is multiplied by. */
export const PATIENCE = 3;
