/** The shop as it was: an order is a row. Nobody writes to the customer. */
import express from 'express';
import pg from 'pg';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const app = express().use(express.json());

app.post('/orders', async (req, res) => {
  const { customer, sku, quantity } = req.body;
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const insert = 'INSERT INTO orders (customer, sku, quantity) VALUES ($1, $2, $3) RETURNING id';
    const { rows } = await client.query(insert, [customer, sku, quantity]);
    if (quantity > 100) throw new Error('not that many');
    await client.query('COMMIT');
    res.status(201).json({ orderId: rows[0].id });
  } catch (error) {
    await client.query('ROLLBACK');
    res.status(409).json({ error: (error as Error).message });
  } finally {
    client.release();
  }
});

app.listen(3000, '127.0.0.1', () => console.log('shop: http://127.0.0.1:3000'));
