import { prismaConfig } from './prisma-config.ts';

export default prismaConfig('audit', process.env.AUDIT_DATABASE_URL);
