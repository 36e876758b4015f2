// Faye's browser build is no module: faye.html has loaded it as pages do.
export default Faye;
