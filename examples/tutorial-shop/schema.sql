CREATE TABLE IF NOT EXISTS orders (
  id       uuid    PRIMARY KEY DEFAULT gen_random_uuid(),
  customer text    NOT NULL,
  sku      text    NOT NULL,
  quantity integer NOT NULL
);
