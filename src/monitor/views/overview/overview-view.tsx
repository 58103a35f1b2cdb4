import { ViewTitle } from '../../parts/view-title.js';
import { AlertsCard } from './alerts-card.js';
import { BooksCard } from './books-card.js';
import { DestinationsCard } from './destinations-card.js';
import { FiguresCard } from './figures-card.js';
import { HeadlineCard } from './headline-card.js';
import { NowTiles } from './now-tiles.js';
import classes from './overview-view.module.css';
import { PartsCard } from './parts-card.js';
import { ProcessesCard } from './processes-card.js';
import { SealCard } from './seal-card.js';

/** How it stands, the worst first. Everything but the windows' figures comes by the stream, by itself. */
export function OverviewView() {
  return (
    <>
      <ViewTitle title="Overview" />
      <HeadlineCard />
      <NowTiles />
      <div className={classes.cards}>
        <div className={classes.wide}>
          <AlertsCard />
          <FiguresCard />
          <DestinationsCard />
          <ProcessesCard />
        </div>
        <div className={classes.narrow}>
          <PartsCard />
          <BooksCard />
          <SealCard />
        </div>
      </div>
    </>
  );
}
