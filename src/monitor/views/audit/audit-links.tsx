import { Link, useLocation } from 'wouter';
import { useSession } from '../../data/session-store.js';
import { NOT_STORED } from '../../parts/views.js';
import classes from './audit-links.module.css';

/** Between the views of the audit log. */
export function AuditLinks() {
  const { may, tenantId } = useSession();
  const [path] = useLocation();
  const views = [
    { to: '/audit', label: 'Records', may: may.readRecords },
    { to: '/audit/log', label: 'Proofs and verification', may: may.readRecords && tenantId === null },
    { to: NOT_STORED, label: 'Not stored', may: may.readDelivery },
  ];
  return (
    <nav aria-label="Audit log">
      <ul className={classes.links}>
        {views
          .filter((view) => view.may)
          .map(({ to, label }) => (
            <li key={to}>
              <Link href={to} aria-current={to === path ? 'page' : undefined}>
                {label}
              </Link>
            </li>
          ))}
      </ul>
    </nav>
  );
}
