import { Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { policiesQuery } from '../../data/queries.js';
import { useAddress } from '../../data/use-address.js';
import { Answer } from '../../parts/answer.js';
import { Card } from '../../parts/card.js';
import { ViewTitle } from '../../parts/view-title.js';
import { BlockedTable } from './blocked-table.js';
import { CoalescingTable } from './coalescing-table.js';
import { Explain } from './explain.js';
import { InForce } from './in-force.js';
import { OrderingTable } from './ordering-table.js';
import { SimulationForm } from './simulation-form.js';

const NAMES = ['tab', 'type', 'after'] as const;
const TABS = [
  ['force', 'In force'],
  ['why', 'Why'],
  ['simulation', 'Simulation'],
  ['ordering', 'Ordering'],
  ['coalescing', 'Coalescing'],
] as const;

/** Retry policies, ordering and coalescing: what is in force, why, and what it would do. */
export function PoliciesView() {
  const { params, go, to } = useAddress(NAMES);
  const query = useQuery(policiesQuery());
  const tab = TABS.find(([name]) => name === params.tab)?.[0] ?? 'force';
  return (
    <>
      <ViewTitle title="Policies" />
      <Tabs value={tab} onChange={(next) => go(next === null ? {} : { tab: next })} keepMounted={false}>
        <Tabs.List aria-label="Policies">
          {TABS.map(([name, label]) => (
            <Tabs.Tab key={name} value={name}>
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="force" pt="md">
          <Answer query={query} what="The policies">
            {(list) => <InForce list={list} />}
          </Answer>
        </Tabs.Panel>
        <Tabs.Panel value="why" pt="md">
          <Answer query={query} what="The policies">
            {({ policies }) => (
              <Explain policies={policies} type={params.type ?? '*'} onType={(type) => go({ tab: 'why', type })} />
            )}
          </Answer>
        </Tabs.Panel>
        <Tabs.Panel value="simulation" pt="md">
          <Answer query={query} what="The policies">
            {({ policies }) => <SimulationForm types={policies.map(({ eventType }) => eventType)} />}
          </Answer>
        </Tabs.Panel>
        <Tabs.Panel value="ordering" pt="md">
          <Answer query={query} what="The policies">
            {({ policies }) => <OrderingTable policies={policies} />}
          </Answer>
          <BlockedTable
            after={params.after}
            first={params.after === undefined ? null : to({ tab: 'ordering' })}
            behind={(next) => to({ tab: 'ordering', after: next })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="coalescing" pt="md">
          <Card title="Coalescing">
            <Answer query={query} what="The policies">
              {(list) => <CoalescingTable list={list} />}
            </Answer>
          </Card>
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
