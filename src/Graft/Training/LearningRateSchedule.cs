using System.Text.Json.Serialization;

namespace Graft.Training;

/// <summary>How the learning rate changes in the course of a training: a share of it, for each step.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(Constant), "constant")]
[JsonDerivedType(typeof(Cosine), "cosine")]
[JsonDerivedType(typeof(OneCycle), "one_cycle")]
[JsonDerivedType(typeof(Stepwise), "step")]
[JsonDerivedType(typeof(Exponential), "exponential")]
[JsonDerivedType(typeof(ReduceOnPlateau), "plateau")]
public abstract record LearningRateSchedule
{
    private LearningRateSchedule()
    {
    }

    /// <summary>The share of the learning rate at a point of the training.</summary>
    /// <param name="progress">From 0, before the first step, to 1, after the last one planned.</param>
    /// <param name="epoch">Epochs done, with their fraction.</param>
    public abstract double ShareAt(double progress, double epoch);

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public virtual IEnumerable<string> Problems() => [];

    /// <summary>The same all the time.</summary>
    public sealed record Constant : LearningRateSchedule
    {
        public override double ShareAt(double progress, double epoch) => 1;
    }

    /// <summary>Half a cosine from the whole rate down to <paramref name="FinalShare"/> of it (Loshchilov and Hutter 2017, arXiv:1608.03983).</summary>
    /// <param name="FinalShare">From 0 to 1. Default 0.</param>
    public sealed record Cosine(double FinalShare = 0) : LearningRateSchedule
    {
        public override double ShareAt(double progress, double epoch) => Ease(1, FinalShare, progress);

        public override IEnumerable<string> Problems()
        {
            if (FinalShare is not (>= 0 and <= 1)) yield return $"Expected a final share of the learning rate from 0 to 1, found {FinalShare}.";
        }
    }

    /// <summary>
    /// Up from a small share to the whole rate, then down to nearly nothing, both as half a cosine (Smith and Topin 2018,
    /// arXiv:1708.07120; the shares are those of PyTorch's OneCycleLR). The learning rate is the highest.
    /// </summary>
    /// <param name="Rise">The part of the training that the rise takes, from 0 to 1. Default 0.3.</param>
    /// <param name="StartShare">Default 1/25.</param>
    /// <param name="FinalShare">Default 1/250,000.</param>
    public sealed record OneCycle(double Rise = 0.3, double StartShare = 1 / 25.0, double FinalShare = 1 / 250_000.0) : LearningRateSchedule
    {
        public override double ShareAt(double progress, double epoch) => progress < Rise
            ? Ease(StartShare, 1, progress / Rise)
            : Ease(1, FinalShare, Rise >= 1 ? 0 : (progress - Rise) / (1 - Rise));

        public override IEnumerable<string> Problems()
        {
            if (Rise is not (>= 0 and <= 1)) yield return $"Expected a rise of the learning rate over 0 to 1 of the training, found {Rise}.";
            if (StartShare is not (> 0 and <= 1) || FinalShare is not (>= 0 and <= 1))
                yield return $"Expected shares of the learning rate from 0 to 1, found {StartShare} and {FinalShare}.";
        }
    }

    /// <summary>Multiplied by <paramref name="Factor"/> each time that many epochs are done.</summary>
    /// <param name="Epochs">At least 1. Default 10.</param>
    /// <param name="Factor">More than 0, up to 1. Default 0.1.</param>
    public sealed record Stepwise(int Epochs = 10, double Factor = 0.1) : LearningRateSchedule
    {
        public override double ShareAt(double progress, double epoch) => Math.Pow(Factor, Math.Floor(epoch / Epochs));

        public override IEnumerable<string> Problems()
        {
            if (Epochs < 1) yield return $"Expected a step of the learning rate every 1 or more epochs, found {Epochs}.";
            if (Factor is not (> 0 and <= 1)) yield return $"Expected a factor of the learning rate above 0, up to 1, found {Factor}.";
        }
    }

    /// <summary>Up from a small share to the whole rate, by the same factor in each step: what <see cref="LearningRateFinder"/> sweeps with.</summary>
    /// <param name="StartShare">Above 0, up to 1. Default a ten-millionth.</param>
    /// <param name="Rise">The part of the training that the rise takes, above 0, up to 1. Default 1.</param>
    public sealed record Exponential(double StartShare = 1e-7, double Rise = 1) : LearningRateSchedule
    {
        public override double ShareAt(double progress, double epoch) => Math.Pow(StartShare, 1 - Math.Min(1, progress / Rise));

        public override IEnumerable<string> Problems()
        {
            if (StartShare is not (> 0 and <= 1) || Rise is not (> 0 and <= 1))
                yield return $"Expected a start share and a rise of the learning rate above 0, up to 1, found {StartShare} and {Rise}.";
        }
    }

    /// <summary>
    /// Multiplied by <paramref name="Factor"/> when the validation loss has not come down for <paramref name="Patience"/> epochs; names,
    /// meaning and defaults are those of Keras's ReduceLROnPlateau.
    /// </summary>
    /// <param name="Factor">More than 0, less than 1. Default 0.1.</param>
    /// <param name="Patience">Epochs without improvement before the rate is lowered, at least 1. Default 10.</param>
    /// <param name="MinDelta">An improvement is more than this. Default 0.0001.</param>
    /// <param name="Cooldown">Epochs after a lowering in which none are counted. Default 0.</param>
    /// <param name="MinLearningRate">The rate is never lowered below this. Default 0.</param>
    public sealed record ReduceOnPlateau(
        double Factor = 0.1, int Patience = 10, double MinDelta = 1e-4, int Cooldown = 0, double MinLearningRate = 0) : LearningRateSchedule
    {
        public override double ShareAt(double progress, double epoch) => 1;

        public override IEnumerable<string> Problems()
        {
            if (Factor is not (> 0 and < 1)) yield return $"Expected a factor of the learning rate above 0 and below 1, found {Factor}.";
            if (Patience < 1 || Cooldown < 0 || !(MinDelta >= 0) || !(MinLearningRate >= 0))
            {
                yield return "Expected a plateau's patience of at least 1, and cooldown, min delta and least learning rate of at least 0, "
                    + $"found {Patience}, {Cooldown}, {MinDelta} and {MinLearningRate}.";
            }
        }
    }

    private static double Ease(double from, double to, double progress) =>
        to + (from - to) * (1 + Math.Cos(Math.PI * Math.Clamp(progress, 0, 1))) / 2;
}

/// <summary>Where a <see cref="LearningRateSchedule.ReduceOnPlateau"/> stands; goes into checkpoints.</summary>
internal sealed record Plateau(double Share, double Best, int Waited, int CoolingDown)
{
    public static Plateau Start { get; } = new(1, double.MaxValue, 0, 0);

    /// <summary>After another epoch; the steps are Keras's.</summary>
    public Plateau After(double loss, LearningRateSchedule.ReduceOnPlateau options, double learningRate)
    {
        var (share, best, waited, cooling) = (Share, Best, Waited, CoolingDown);
        if (cooling > 0) (cooling, waited) = (cooling - 1, 0);
        if (loss < best - options.MinDelta)
            (best, waited) = (loss, 0);
        else if (cooling == 0 && ++waited >= options.Patience && share * learningRate > options.MinLearningRate)
            (share, cooling, waited) = (Math.Max(share * options.Factor, options.MinLearningRate / learningRate), options.Cooldown, 0);
        return new(share, best, waited, cooling);
    }
}
