import { prismaConfig } from './prisma-config.js';

export default prismaConfig('outbox', process.env.OUTBOX_DATABASE_URL);
