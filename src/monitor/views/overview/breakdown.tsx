import { Tabs } from '@mantine/core';
import type { Figures, OverviewValue } from '../../../contract/overview-api.js';
import { type BreakdownRow, breakDown } from '../../logic/breakdown.js';
import { formatCount, formatDuration, formatLatency, formatRate, formatShare, NOT_KNOWN } from '../../logic/format.js';
import { DataTable } from '../../parts/data-table.js';
import { Hostile } from '../../parts/hostile.js';

export interface BreakdownProps {
  readonly figures: Figures;
  /** Of now; null: not known. */
  readonly rate: OverviewValue<'rate'> | null;
}

/** The api names as many. */
const MOST_NAMES = 100;

/** The same by event type, routing key and tenant. */
export function Breakdown({ figures, rate }: BreakdownProps) {
  const { byEventType, byDestination, byTenant } = figures;
  // The latest deliveries of a busy outbox cover a few seconds: what is rare may have had none of them.
  const now = rate === null ? 'Now' : `Now, over ${formatDuration(rate.overSeconds * 1_000)}`;
  return (
    <Tabs defaultValue="type" keepMounted={false}>
      <Tabs.List aria-label="Broken down by">
        <Tabs.Tab value="type">Event type</Tabs.Tab>
        <Tabs.Tab value="destination">Routing key</Tabs.Tab>
        <Tabs.Tab value="tenant">Tenant</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="type" pt="sm">
        <Rows by="Event type" now={now} rows={breakDown(byEventType, rate?.byEventType ?? null, MOST_NAMES)} />
      </Tabs.Panel>
      <Tabs.Panel value="destination" pt="sm">
        <Rows by="Routing key" now={now} rows={breakDown(byDestination, rate?.byDestination ?? null, MOST_NAMES)} />
      </Tabs.Panel>
      <Tabs.Panel value="tenant" pt="sm">
        <Rows by="Tenant" now={now} rows={breakDown(byTenant, rate?.byTenant ?? null, MOST_NAMES)} />
      </Tabs.Panel>
    </Tabs>
  );
}

interface RowsProps {
  readonly by: string;
  /** Over which time the rate of now is. */
  readonly now: string;
  readonly rows: readonly BreakdownRow[];
}

function Rows({ by, now, rows }: RowsProps) {
  const figure = (format: (of: NonNullable<BreakdownRow['figure']>) => string) => (row: BreakdownRow) =>
    row.figure === null ? NOT_KNOWN : format(row.figure);
  return (
    <DataTable
      caption={`Deliveries by ${by.toLowerCase()}`}
      rows={rows}
      idOf={({ key }) => key}
      empty="Nothing was delivered in this time."
      columns={[
        { label: by, cell: ({ name }) => <Name name={name} /> },
        {
          label: now,
          numeric: true,
          cell: ({ perSecond }) => (perSecond === null ? NOT_KNOWN : formatRate(perSecond)),
        },
        { label: 'Delivered', numeric: true, cell: figure(({ delivered }) => formatCount(delivered)) },
        { label: 'Died', numeric: true, cell: figure(({ died }) => formatCount(died)) },
        { label: 'Success', numeric: true, cell: figure(({ successRate }) => formatShare(successRate)) },
        { label: 'p50', numeric: true, cell: figure(({ p50Ms }) => formatLatency(p50Ms)) },
        { label: 'p95', numeric: true, cell: figure(({ p95Ms }) => formatLatency(p95Ms)) },
        { label: 'p99', numeric: true, cell: figure(({ p99Ms }) => formatLatency(p99Ms)) },
      ]}
    />
  );
}

function Name({ name }: { readonly name: string | null }) {
  if (name === null) return <span className="dim">All others</span>;
  return name === '' ? <span className="dim">Without a tenant</span> : <Hostile text={name} />;
}
