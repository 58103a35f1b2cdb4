// Real: docker-compose.yml and the kustomizations as they stand, and what the release script would write into them.
import { readFileSync } from 'node:fs';
import { withImageTags } from '../../config/image-tags.js';

it('the image is deployed by the version of the package, wherever its tag stands', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const texts = withImageTags(version);
  expect(Object.keys(texts)).toContain('docker-compose.yml');
  for (const [path, text] of Object.entries(texts)) expect([path, readFileSync(path, 'utf8')]).toEqual([path, text]);
  const others = Object.entries(withImageTags('9.9.9')).filter(([path, text]) => text === texts[path]);
  expect(others).toEqual([]);
});
