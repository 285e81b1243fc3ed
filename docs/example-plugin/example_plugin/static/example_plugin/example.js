document.documentElement.dataset.example = "here";
