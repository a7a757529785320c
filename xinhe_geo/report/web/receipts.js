/* Shows what a figure is added up from when its line is opened. */
(function () {
  'use strict';
  var read = JSON.parse(document.querySelector('script[type="application/json"]').textContent);
  var columns = "COLUMNS";
  function cell(row, name, text) {
    var own = document.createElement(name);
    own.textContent = text;
    if (typeof text === 'number') { own.className = 'n'; own.textContent = String(Math.round(text * 1e6) / 1e6); }
    row.appendChild(own);
  }
  function table(place, part) {
    if (part.before) { table(place, part.before); table(place, part.after); return; }
    var own = document.createElement('table'), head = own.createTHead().insertRow(), body = own.createTBody();
    columns.forEach(function (name) { cell(head, 'th', name); });
    (part.rows || []).forEach(function (row) {
      var line = body.insertRow();
      cell(line, 'td', row[0]);
      cell(line, 'td', row[1] || read.names[row[0]] || '');
      cell(line, 'td', row[2] === null ? '—' : row[2]);
      cell(line, 'td', row[3]);
    });
    place.appendChild(own);
  }
  function fill(place) {
    if (!place.open || place.dataset.full) { return; }
    place.dataset.full = '1';
    read.also.forEach(function (part) {
      if (part.figure !== place.id) { return; }
      var head = document.createElement('h3');
      head.textContent = part.label + ' ' + part.printed.map(function (one) { return one[2]; }).join(' / ');
      place.appendChild(head);
      table(place, part);
    });
  }
  document.querySelectorAll('details').forEach(function (place) {
    place.addEventListener('toggle', function () { fill(place); });
  });
  function show() {
    var own = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (own) { own.open = true; own.scrollIntoView(); }
  }
  window.addEventListener('hashchange', show);
  show();
}());
