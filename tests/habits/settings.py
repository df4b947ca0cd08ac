"""Compile settings as people state them: names, functions and objects, by outputs and for all.

Runs beside `generator.py` wherever a Keras is installed, on Python 3.6 too.
"""

import own
import own_more


def losses(author):
    """Losses that this Keras has: names, functions, objects and the author's own."""
    keras, draw = author.api.keras, author.d
    module = keras.objectives if author.first else keras.losses
    losses = ["mse", "mae", "binary_crossentropy", "poisson", "kullback_leibler_divergence", "squared_hinge", "hinge"]
    losses += ["mean_squared_logarithmic_error", "categorical_crossentropy"]
    losses += [module.mean_squared_error, module.categorical_crossentropy, module.binary_crossentropy]
    if author.api.generation < 3:
        losses += ["kld", "logcosh"] if not author.first else ["kld", "cosine_proximity"]
    if hasattr(module, "Huber"):
        draw.habits.append("loss objects")
        losses += [
            module.Huber(0.3 if author.api.generation < 3 else 1.0),
            module.BinaryCrossentropy(label_smoothing=0.1),
            module.MeanSquaredError(reduction="sum"),
        ]
        losses += [module.CategoricalCrossentropy(from_logits=True), module.KLDivergence(), module.Poisson()]
    if not author.plain:
        losses += [own.own_loss, own.own_loss]
        losses += [own_more.Loss(2.0)] * 3 if own_more.has("Loss") else []
    return losses


def metrics(author):
    """Metrics that this Keras has, but those that have to see several samples."""
    keras, draw = author.api.keras, author.d
    metrics = ["accuracy", "acc", "mae", "mse", "categorical_accuracy", "top_k_categorical_accuracy", "binary_accuracy"]
    metrics = metrics[:5] + metrics[6:]
    metrics += [keras.metrics.categorical_accuracy, keras.metrics.mean_squared_error]
    if hasattr(keras.metrics, "AUC"):
        draw.habits.append("metric objects")
        metrics += [
            keras.metrics.AUC(name="area"),
            keras.metrics.Precision(),
            keras.metrics.MeanAbsoluteError(name="off"),
        ]
        metrics += [keras.metrics.CategoricalAccuracy(), keras.metrics.Recall(thresholds=0.3, name="rec")]
    if not author.plain:
        metrics += [own_more.share, own.own_metric]
        metrics += [own_more.Ratio()] * 2 if own_more.has("Ratio") else []
    return metrics


def optimizer(author):
    """An optimizer object with rarer arguments, or a name."""
    draw, optimizers = author.d, author.api.keras.optimizers
    new = author.api.within_tensorflow or author.api.generation == 3
    rate = "learning_rate" if new else "lr"
    if draw.has("optimizer by any name", 25):
        return draw.choice("adam", "sgd", "rmsprop", "adagrad", "adadelta", "nadam", "adamax")
    options = draw.choice({rate: 0.02}, {}, {rate: 0.005, "clipvalue": 0.5}, {rate: 0.01, "clipnorm": 0.7})
    kinds = [
        ("Adam", {"beta_1": 0.8, "epsilon": 1e-4}),
        ("RMSprop", {"rho": 0.8}),
        ("Adagrad", {}),
        ("Adadelta", {"rho": 0.9}),
    ]
    kinds += [("SGD", {"momentum": 0.5, "nesterov": True}), ("Nadam", {}), ("Adamax", {})]
    if not author.first and not author.api.version.startswith("2.0"):
        kinds += [("Adam", {"amsgrad": True})]
    if new:
        kinds += [("RMSprop", {"centered": True, "momentum": 0.4}), ("Ftrl", {})]
    if hasattr(optimizers, "AdamW"):
        kinds += [("AdamW", {"weight_decay": 0.01}), ("Lion", {}), ("Adafactor", {})]
    kind, more = draw.choice(*kinds)
    options = dict(options, **more)
    if new and draw.has("schedule of any kind", 25):
        options["learning_rate"] = schedule(author)
    if author.api.within_tensorflow and hasattr(optimizers, "legacy") and draw.has("legacy optimizer", 30):
        optimizers = optimizers.legacy if hasattr(optimizers.legacy, kind) else optimizers
    return getattr(optimizers, kind)(**options)


def schedule(author):
    """A schedule of the learning rate."""
    schedules, draw = author.api.keras.optimizers.schedules, author.d
    rates = [schedules.ExponentialDecay(0.01, 10, 0.9, staircase=True), schedules.InverseTimeDecay(0.01, 5, 0.3)]
    rates += [
        schedules.PolynomialDecay(0.01, 20, power=2.0, cycle=True),
        schedules.PiecewiseConstantDecay([2, 4], [0.1, 0.01, 0.001]),
    ]
    if hasattr(schedules, "CosineDecay"):
        rates += [schedules.CosineDecay(0.01, 10, alpha=0.1), schedules.CosineDecayRestarts(0.01, 10)]
    if not author.plain and own_more.has("Warm"):
        rates += [own_more.Warm(0.02)] * 2
    return draw.choice(*rates)


def drawn(author, outputs):
    """Keywords of `compile` for a model of so many outputs."""
    draw = author.d
    settings = {"optimizer": optimizer(author), "loss": draw.choice(*losses(author))}
    if outputs > 1 and draw.chance(40):
        settings["loss"] = [draw.choice(*losses(author)) for _ in range(outputs)]
    if outputs > 1 and draw.chance(40):
        settings["loss_weights"] = [0.3 + at for at in range(outputs)]
    if draw.chance(60):
        chosen = [draw.choice(*metrics(author)) for _ in range(draw.choice(1, 2))]
        nested = outputs > 1 and author.api.generation == 3
        settings["metrics"] = [chosen] + [["mse"]] * (outputs - 1) if nested else chosen
    if author.api.within_tensorflow and draw.has("weighted_metrics", 15):
        settings["weighted_metrics"] = ["mae"] if outputs == 1 else [["mae"]] * outputs
    draw.habits.append("compile settings of many kinds")
    return settings


def by_names(author, names):
    """Keywords of `compile` by the names of outputs, some left out."""
    draw = author.d
    draw.habits.append("losses by output names")
    settings = {"optimizer": optimizer(author), "loss": {name: draw.choice(*losses(author)) for name in names}}
    if draw.has("loss_weights by output names", 60):
        settings["loss_weights"] = {name: 0.5 + at for at, name in enumerate(names)}
    if draw.has("metrics by output names", 60):
        chosen = {name: draw.choice(*metrics(author)) for name in names}
        some = names[:1] if draw.chance(40) else names
        settings["metrics"] = {name: [chosen[name]] if draw.chance(60) else chosen[name] for name in some}
    return settings
