(function () { "use strict";
xinhe.model = xinhe.engine.read(JSON.parse(document.getElementById("xh-data").textContent));
})();
