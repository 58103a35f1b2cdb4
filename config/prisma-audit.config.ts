import { prismaConfig } from './prisma-config.js';

export default prismaConfig('audit', process.env.AUDIT_DATABASE_URL);
