// Where the release's own image is named by its tag: a tag that stays behind runs the old image on the new schema.
import { globSync, readFileSync } from 'node:fs';

const COMPOSE = 'docker-compose.yml';
const KUSTOMIZATIONS = 'deploy/kubernetes/**/kustomization.yaml';
const IMAGE = /(\bimage: ["']?temporal-outbox:)[^\s"'}]+/g;
/** Of one entry of `images`, on one line or on several. */
const NEW_TAG = /(\bname: ["']?temporal-outbox["']?\s*[,\n](?:(?!\bname:)[^}])*?\bnewTag: ["']?)[^\s,"'}]+/g;

/** Their texts with the version, by path. */
export function withImageTags(version: string): Record<string, string> {
  const texts = { ...raise([COMPOSE], IMAGE, version), ...raise(globSync(KUSTOMIZATIONS), NEW_TAG, version) };
  for (const [where, of] of [[COMPOSE, COMPOSE] as const, [KUSTOMIZATIONS, 'kustomization.yaml'] as const]) {
    if (Object.keys(texts).some((path) => path.endsWith(of))) continue;
    throw new Error(`${where}: expected the tag of the image temporal-outbox, there is none`);
  }
  return texts;
}

/** Of those that name it. */
function raise(paths: readonly string[], tag: RegExp, version: string): Record<string, string> {
  return Object.fromEntries(
    paths
      .map((path) => [path, readFileSync(path, 'utf8')] as const)
      .filter(([, text]) => text.search(tag) !== -1)
      .map(([path, text]) => [path, text.replace(tag, (_, before: string) => `${before}${version}`)]),
  );
}
