using System.Diagnostics;
using Graft.Data;
using Graft.Networks;
using Graft.Ranks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>One training from its first step, or from a checkpoint, to its last.</summary>
internal sealed class TrainingLoop : IDisposable
{
    /// <summary>A loss beyond this many times that of guessing is no bad epoch: the loss diverged.</summary>
    private const double ExplodedLoss = 1000;

    private readonly TorchNetwork _network;
    private readonly IExamples _training, _validation;
    private readonly TrainingOptions _options;
    private readonly IReadOnlyList<ITrainingCallback> _callbacks;
    private readonly TrainingCheckpoint? _checkpoint;
    private readonly IObjective _objective;
    private readonly TrainableOptimizer _optimizer;
    private readonly WeightsSnapshot _best;
    private readonly AverageWeights? _average;
    private readonly Tensor? _classWeights;
    private readonly EpochOrder _order;
    private readonly DataParallel? _parallel;
    private readonly TrainingProgress _progress;
    private readonly int _classes;
    private TrainingState _state = TrainingState.Start;

    public TrainingLoop(
        TorchNetwork network, IExamples training, IExamples validation, TrainingOptions options, IReadOnlyList<ITrainingCallback> callbacks,
        TrainingCheckpoint? checkpoint, Func<IObjective, IObjective> objective, IReadOnlySet<string>? pretrained, ICollective? ranks = null)
    {
        (_network, _training, _validation, _options, _callbacks, _checkpoint) = (network, training, validation, options, callbacks, checkpoint);
        random.manual_seed(options.Seed); // dropout
        _order = new(training, options);
        _optimizer = new(network, options, pretrained);
        _best = new(network);
        _average = options.EmaDecay > 0 ? new(network, options.EmaDecay) : null;
        _classes = Math.Max(2, network.Network.OutputShape.ElementCount);
        _classWeights = options.ClassWeights == ClassWeighting.Balanced ? ClassWeights() : null;
        _objective = objective(new CrossEntropy(_classWeights, options.LabelSmoothing));
        _progress = new(network, options, training.Count, _order.StepsPerEpoch);
        _parallel = DataParallel.Of(ranks, network);
    }

    public TrainingHistory Run(CancellationToken cancellation)
    {
        var fingerprint = _checkpoint?.FingerprintOf(_network.Network, _training, _validation, _options) ?? "";
        if (_checkpoint?.Load(_network, _best, _average, _optimizer, fingerprint) is { } saved) _state = saved;
        if (_parallel is not null) _state = _parallel.TakeState(_state, _best, _average, _optimizer);
        for (var epoch = 1; epoch <= _state.History.Count; epoch++) _order.Next();
        var clock = Stopwatch.StartNew();
        var secondsBefore = _state.History.Count == 0 ? 0 : _state.History[^1].Seconds;
        double Seconds()
        {
            var own = secondsBefore + clock.Elapsed.TotalSeconds;
            return _parallel?.OfFirst(own) ?? own;
        }

        var written = TimeSpan.Zero;
        Tell(callback => callback.OnStart(_progress));
        while (!IsDone(Seconds()))
        {
            var epoch = _progress.Epoch = _state.History.Count + 1;
            var (loss, accuracy, rate) = TrainEpoch(epoch, _order.Next(), cancellation);
            _average?.Swap();
            var (validationLoss, validationAccuracy) = Evaluate(cancellation);
            if (HasExploded(loss) || HasExploded(validationLoss))
            {
                _average?.Swap();
                throw Diverged(epoch, double.IsFinite(loss) && !HasExploded(loss) ? validationLoss : loss);
            }
            var result = new EpochResult(epoch, loss, accuracy, validationLoss, validationAccuracy, rate, Seconds());
            var isBest = _state.BestEpoch == 0 || validationLoss < _state.History[_state.BestEpoch - 1].ValidationLoss;
            if (isBest)
            {
                _best.Take();
                Tell(callback => callback.OnBest(_progress, result));
            }
            _average?.Swap();
            _state = _state with
            {
                History = [.. _state.History, result],
                BestEpoch = isBest ? epoch : _state.BestEpoch,
                Plateau = _options.Schedule is LearningRateSchedule.ReduceOnPlateau plateau
                    ? _state.Plateau.After(validationLoss, plateau, _options.LearningRate)
                    : _state.Plateau,
            };
            Tell(callback => callback.OnEpoch(_progress, result));
            _state = _state with { IsStopped = _state.IsStopped || (_parallel?.Any(_progress.IsStopping) ?? _progress.IsStopping) };
            _parallel?.TakeWeights();
            if (_checkpoint is null || clock.Elapsed - written < _checkpoint.Interval) continue;
            _checkpoint.Save(_state, _network, _best, _average, _optimizer, fingerprint);
            written = clock.Elapsed;
        }
        _best.Restore();
        var history = new TrainingHistory(_state.History, _state.BestEpoch);
        Tell(callback => callback.OnEnd(_progress, history));
        return history;
    }

    public void Dispose()
    {
        _best.Dispose();
        _average?.Dispose();
        _parallel?.Dispose();
        _classWeights?.Dispose();
        _optimizer.Dispose();
    }

    private bool IsDone(double seconds)
    {
        var done = _state.History.Count;
        return done > 0 && (done >= _options.Epochs
            || _state.IsStopped
            || (_options.Patience > 0 && done - _state.BestEpoch >= _options.Patience)
            || seconds >= _options.TimeLimit?.TotalSeconds);
    }

    private (double Loss, double Accuracy, double LearningRate) TrainEpoch(int epoch, IReadOnlyList<int[]> batches, CancellationToken cancellation)
    {
        _network.train();
        var (loss, correct, seen, labeled, rate) = (0.0, 0L, 0, 0.0, _options.LearningRate);
        var own = _parallel?.Cut(batches) ?? batches;
        using var reader = new BatchReader(_network, _training, epoch, own);
        for (var step = 0; step < batches.Count; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            rate = SetLearningRate((epoch - 1) * batches.Count + step, batches.Count);
            _optimizer.ForgetGradients();
            var batch = Batch.Of(_training, own[step], epoch, _network.Device);
            var inputs = reader.Next();
            var share = _network.Share = _parallel?.ShareOf(batches[step].Length);
            var mixed = Mix(ref inputs, epoch, step);
            var tape = new GradientTape();
            var (outputs, features) = _network.Record(inputs, tape, _objective.FeatureLayer);
            var logits = Logits(outputs);
            batch = batch with { Features = features };
            var batchLoss = mixed == 0
                ? _objective.Loss(logits, batch)
                : (_objective.Loss(logits, batch) * Number(1 - mixed)).Plus(_objective.Loss(logits, batch.Reversed()) * Number(mixed));
            var weight = share is null ? 1 : share.Counts ? _objective.WeightOf(batch) : 0;
            tape.Backward(weight == 1 ? batchLoss : batchLoss * Number(weight));
            var (value, hits) = (batchLoss.Value(), Correct(logits, batch.Labels));
            if (share is not null) (value, hits) = _parallel!.Average(share, weight, value, hits);
            Tell(callback => callback.OnGradients(_progress));
            if (_options.GradientClip > 0) _optimizer.ClipGradients(_options.GradientClip);
            _optimizer.Step();
            _average?.Update();
            if (!double.IsFinite(value)) throw Diverged(epoch, value);
            loss += value * batches[step].Length;
            correct += hits;
            seen += batches[step].Length;
            var known = batches[step].Length * batch.LabeledShare;
            labeled += known;
            var result = new StepResult(epoch, step + 1, value, hits / Math.Max(1, known), batches[step].Length, rate);
            Tell(callback => callback.OnStep(_progress, result));
        }
        return (loss / seen, correct / Math.Max(1, labeled), rate);
    }

    private (double Loss, double Accuracy) Evaluate(CancellationToken cancellation)
    {
        _network.eval();
        _network.Share = null;
        using var inference = inference_mode();
        var (loss, correct) = (0.0, 0L);
        var batches = Enumerable.Range(0, _validation.Count).Chunk(_options.BatchSize).ToList();
        var own = _parallel?.CutWithoutSpares(batches) ?? batches;
        using var reader = new BatchReader(_network, _validation, epoch: 0, own);
        foreach (var batch in own)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var labels = Batch.Of(_validation, batch, epoch: 0, _network.Device).Labels;
            var logits = Logits(_network.call(reader.Next()));
            loss += nn.functional.cross_entropy(logits, labels).Value() * batch.Length;
            correct += Correct(logits, labels);
        }
        if (_parallel is not null)
        {
            double[] sums = [loss, correct];
            _parallel.Sum(sums);
            (loss, correct) = (sums[0], (long)sums[1]);
        }
        return (loss / _validation.Count, (double)correct / _validation.Count);
    }

    /// <summary>A logit for each class; one alone stands for the second class, against 0 for the first.</summary>
    private static Tensor Logits(Tensor outputs) => outputs.shape[1] == 1 ? cat([zeros_like(outputs), outputs], 1) : outputs;

    private static long Correct(Tensor logits, Tensor labels) => logits.argmax(1).eq(labels).sum().Whole();

    /// <summary>Blends each input with the one as far from the batch's end as it is from its start; returns the other one's share.</summary>
    private double Mix(ref Tensor inputs, int epoch, int step)
    {
        if (_options.Mixing == BatchMixing.None) return 0;
        var draws = new SplitMix64((ulong)(uint)_options.Seed << 32 ^ (ulong)epoch << 20 ^ (ulong)step ^ 0x4D49584D49584D49);
        var share = Beta(ref draws, _options.MixingAlpha);
        share = Math.Min(share, 1 - share);
        if (_options.Mixing == BatchMixing.Mixup)
        {
            inputs = (inputs * Number(1 - share)).Plus(inputs.flip(0) * Number(share));
            return share;
        }
        var (height, width) = ((int)inputs.shape[2], (int)inputs.shape[3]);
        var (cutHeight, cutWidth) = ((int)(height * Math.Sqrt(share)), (int)(width * Math.Sqrt(share)));
        var (top, left) = (draws.Below(height - cutHeight + 1), draws.Below(width - cutWidth + 1));
        var blended = inputs.clone();
        blended.narrow(2, top, cutHeight).narrow(3, left, cutWidth).copy_(inputs.flip(0).narrow(2, top, cutHeight).narrow(3, left, cutWidth));
        inputs = blended;
        return (double)cutHeight * cutWidth / (height * width);
    }

    /// <summary>A draw from Beta(α, α), of two draws from the gamma distribution.</summary>
    private static double Beta(ref SplitMix64 draws, double alpha)
    {
        var (one, two) = (Gamma(ref draws, alpha), Gamma(ref draws, alpha));
        return one + two > 0 ? one / (one + two) : 0.5;

        // Marsaglia and Tsang 2000; below 1, by the draw for α + 1.
        static double Gamma(ref SplitMix64 draws, double shape)
        {
            if (shape < 1) return Gamma(ref draws, shape + 1) * Math.Pow(draws.NextDouble(), 1 / shape);
            var d = shape - 1 / 3.0;
            while (true)
            {
                var x = draws.NextGaussian();
                var v = Math.Pow(1 + x / Math.Sqrt(9 * d), 3);
                if (v > 0 && Math.Log(1 - draws.NextDouble()) < x * x / 2 + d - d * v + d * Math.Log(v)) return d * v;
            }
        }
    }

    private double SetLearningRate(int step, int stepsPerEpoch)
    {
        var share = _options.Schedule is LearningRateSchedule.ReduceOnPlateau
            ? _state.Plateau.Share
            : _options.Schedule.ShareAt(step / Math.Max(1.0, (double)_options.Epochs * stepsPerEpoch - 1), (double)step / stepsPerEpoch);
        var warmUp = _options.WarmUpEpochs * stepsPerEpoch;
        if (step < warmUp) share *= Math.Min(1, (step + 1) / warmUp);
        return _optimizer.SetShare(share);
    }

    private Tensor ClassWeights()
    {
        var counts = Enumerable.Range(0, _training.Count).Select(_training.LabelOf).Where(label => label >= 0).CountBy(label => label).ToDictionary();
        var labeled = counts.Values.Sum();
        float[] weights = [.. Enumerable.Range(0, _classes).Select(label =>
            counts.GetValueOrDefault(label) is var count && count > 0 ? (float)((double)labeled / (_classes * count)) : 0)];
        return tensor(weights).to(_network.Device).DetachFromDisposeScope();
    }

    private bool HasExploded(double loss) =>
        !double.IsFinite(loss)
        || (_state.History.Count > 0 && loss > ExplodedLoss * Math.Log(_classes) && loss > 10 * _state.History.Min(epoch => epoch.Loss));

    private TrainingDivergedException Diverged(int epoch, double loss)
    {
        if (_state.BestEpoch > 0) _best.Restore();
        return new(
            $"Training diverged in epoch {epoch}: the loss is {loss}. Lower the learning rate (it was {_options.LearningRate}), "
            + (_options.WarmUpEpochs > 0 ? "warm up longer" : "warm up")
            + (_options.GradientClip > 0 ? "" : ", or clip gradients to a norm of 1")
            + "." + (_state.BestEpoch > 0 ? $" The weights of epoch {_state.BestEpoch}, the best until then, are kept." : ""));
    }

    private void Tell(Action<ITrainingCallback> what)
    {
        foreach (var callback in _callbacks) what(callback);
    }
}

/// <summary>What a training has come to, besides its tensors.</summary>
internal sealed record TrainingState(IReadOnlyList<EpochResult> History, int BestEpoch, Plateau Plateau, bool IsStopped)
{
    public static TrainingState Start { get; } = new([], 0, Plateau.Start, IsStopped: false);
}
