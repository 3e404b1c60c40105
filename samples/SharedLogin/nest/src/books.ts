export const books = [
  { sku: 'tide', title: 'The Tide Tables', author: 'I. Marlow', price: '12.00', hue: 215 },
  { sku: 'lamp', title: 'A Lamp for the Pier', author: 'R. Osei', price: '9.50', hue: 40 },
  { sku: 'knot', title: 'Forty Useful Knots', author: 'J. Brandt', price: '14.00', hue: 150 },
];
