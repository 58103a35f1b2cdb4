import { z } from 'zod';
import { named, type Operation } from './operation.js';

export const OPENAPI_PATH = '/openapi.json';
export const DOCS_PATH = '/docs';

const document = named('OpenApi', z.looseObject({ openapi: z.string() }));
const area = 'reference';
const headers = ['ETag'] as const;

export const referenceOperations: readonly Operation[] = [
  {
    id: 'getOpenApi',
    method: 'get',
    path: OPENAPI_PATH,
    area,
    summary: 'This document',
    answers: [
      { status: 200, description: 'OpenAPI 3.1.', schema: document, headers },
      { status: 304, description: 'Unchanged, by If-None-Match.', headers },
    ],
  },
  {
    id: 'getReferencePage',
    method: 'get',
    path: DOCS_PATH,
    area,
    summary: 'This document as a page',
    answers: [
      { status: 200, description: 'HTML without a script.', mediaType: 'text/html', headers },
      { status: 304, description: 'Unchanged, by If-None-Match.', headers },
    ],
  },
];
