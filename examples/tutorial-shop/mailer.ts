/**
 * Somebody else's system in real life: takes letters, each once by its Idempotency-Key, and refuses those to people whose
 * address it does not know. GET /letters shows what it sent, PUT /addresses/NAME makes somebody known.
 */
import express from 'express';

const known = new Set(['ada']);
const sent = new Map<string, { to: string; text: string }>();
const app = express().use(express.json());

app.post('/letters', (req, res) => {
  const key = String(req.headers['idempotency-key']);
  const { to, text } = req.body;
  if (!known.has(to)) return void res.status(422).json({ error: `no address of ${to}` });
  if (!sent.has(key)) sent.set(key, { to, text });
  res.status(201).json({ id: `letter-${key}` });
});
app.get('/letters', (_req, res) => void res.json([...sent.values()]));
app.put('/addresses/:name', (req, res) => {
  known.add(req.params.name);
  res.json({ known: [...known] });
});

app.listen(4000, '127.0.0.1', () => console.log('mailer: http://127.0.0.1:4000'));
