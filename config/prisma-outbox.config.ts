import { prismaConfig } from './prisma-config.ts';

export default prismaConfig('outbox', process.env.OUTBOX_DATABASE_URL);
