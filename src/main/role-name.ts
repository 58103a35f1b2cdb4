/** In a file of its own: it is public, and what stands in role.ts would bring Temporal's declarations along. */
export type RoleName = 'api' | 'relay' | 'worker';
