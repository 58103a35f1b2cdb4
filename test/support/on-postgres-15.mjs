// Runs before each file of the `postgres15` project: its databases are on the oldest server that is promised, and no other.
const worker = process.env.JEST_WORKER_ID;
process.env[`TEST_POSTGRES_URL_${worker}`] = process.env[`TEST_POSTGRES_15_URL_${worker}`];
