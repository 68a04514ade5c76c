export * from './answer-as.js';
export * from './answers.js';
export * from './builders.js';
export { ref, type AnswerOf, type Schema, type SchemaOf } from './schema.js';
