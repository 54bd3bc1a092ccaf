using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>
/// The optimizer of the weights that are to learn, by PyTorch's formulas: kernels decay, the rest does not, lower layers may learn slower.
/// TorchSharp's own optimizers take numbers that may be collected while libtorch reads them; see <see cref="Scalars"/>.
/// </summary>
internal sealed class TrainableOptimizer : IDisposable
{
    /// <summary>PyTorch's defaults: of Adam's two averages, of RMSprop's, and what keeps both from dividing by 0.</summary>
    private const double Beta1 = 0.9, Beta2 = 0.999, Alpha = 0.99, Epsilon = 1e-8;

    private readonly TrainingOptions _options;
    private readonly List<Trained> _weights = [];
    private double _share = 1;

    /// <summary>A weight, its weight decay, the share of the learning rate that its layer has, and the optimizer's memory of it by name.</summary>
    /// <param name="Start">What it is pulled back to; null for nothing.</param>
    private sealed record Trained(
        TorchSharp.Modules.Parameter Weight, double Decay, double Share, Tensor? Start, Tensor? Momentum = null, Tensor? Average = null, Tensor? Square = null)
    {
        public IEnumerable<(string Name, Tensor? Value)> Memory => [("momentum", Momentum), ("average", Average), ("square", Square)];
    }

    /// <param name="network">With the weights that training starts from.</param>
    /// <param name="pretrained">Layers that <see cref="TrainingOptions.L2Sp"/> keeps near; null for all.</param>
    public TrainableOptimizer(TorchNetwork network, TrainingOptions options, IReadOnlySet<string>? pretrained = null)
    {
        _options = options;
        var described = network.Network.Parameters.ToDictionary(parameter => parameter.Key, StringComparer.Ordinal);
        var trained = network.named_parameters().Where(pair => pair.parameter.requires_grad).ToList();
        if (trained.Count == 0) throw new GraftException("Every layer is frozen: there is nothing to train. Unfreeze some, at least the head.");

        var layers = trained.Select(pair => described[pair.name].Layer).Distinct().ToList();
        double ShareOf(string layer) => options.LayerwiseLearningRateDecay == 1 || layers.Count == 1
            ? 1
            : Math.Pow(options.LayerwiseLearningRateDecay, 1 - layers.IndexOf(layer) / (layers.Count - 1.0));
        // Decaying kernels first, each layer's with its own rate together: the order of a checkpoint.
        foreach (var group in trained.GroupBy(pair => (Decays: described[pair.name].IsKernel, Share: ShareOf(described[pair.name].Layer)))
            .OrderByDescending(group => group.Key.Decays))
        {
            foreach (var (name, weight) in group)
            {
                var isPulled = options.L2Sp > 0 && pretrained?.Contains(described[name].Layer) != false;
                _weights.Add(Remembered(new(
                    weight, group.Key.Decays && !isPulled ? options.WeightDecay : 0, group.Key.Share, isPulled ? weight.detach().clone().DetachFromDisposeScope() : null)));
            }
        }
    }

    /// <summary>The optimizer's memory, by weight and name, such as Adam's two averages.</summary>
    public IEnumerable<(string Key, Tensor Value)> Tensors => _weights.SelectMany((weight, index) =>
        weight.Memory.Where(pair => pair.Value is not null).Select(pair => ($"{index}.{pair.Name}", pair.Value!)));

    /// <summary>Steps done, as Adam's corrections count them.</summary>
    public long Steps { get; set; }

    /// <summary>Lets gradients go: the next ones take no adding to, and their memory is free for activations until then.</summary>
    public void ForgetGradients()
    {
        foreach (var trained in _weights) trained.Weight.grad = null;
    }

    public void Step()
    {
        using var noGradients = no_grad();
        Steps++;
        foreach (var trained in _weights)
        {
            using var scope = NewDisposeScope();
            if (trained.Weight.grad is not { } gradient) continue;
            var rate = _share * trained.Share * _options.LearningRate;
            if (_options.Optimizer == OptimizerKind.AdamW) trained.Weight.mul_(Number(1 - rate * trained.Decay));
            else if (trained.Decay != 0) gradient = gradient.add(trained.Weight, Number(trained.Decay));
            if (trained.Start is { } start)
            {
                if (_options.Optimizer == OptimizerKind.Sgd) gradient = gradient.add(trained.Weight - start, Number(_options.L2Sp));
                else trained.Weight.add_(trained.Weight - start, Number(-rate * _options.L2Sp));
            }
            switch (_options.Optimizer)
            {
                case OptimizerKind.Sgd: StepSgd(trained, gradient, rate); break;
                case OptimizerKind.RmsProp:
                    trained.Square!.mul_(Number(Alpha)).addcmul_(gradient, gradient, Number(1 - Alpha));
                    trained.Weight.addcdiv_(gradient, trained.Square.sqrt().Increase(Epsilon), Number(-rate));
                    break;
                default: StepAdam(trained, gradient, rate); break;
            }
        }
    }

    /// <summary>Scales all gradients down together where their norm is larger than this.</summary>
    public void ClipGradients(double norm) => nn.utils.clip_grad_norm_(_weights.Select(trained => trained.Weight), norm);

    /// <summary>Sets the learning rate to a share of the options'; returns it.</summary>
    public double SetShare(double share)
    {
        _share = share;
        return share == 1 ? _options.LearningRate : share * _options.LearningRate;
    }

    public void Dispose()
    {
        foreach (var (_, tensor) in Tensors) tensor.Dispose();
        foreach (var trained in _weights) trained.Start?.Dispose();
    }

    private Trained Remembered(Trained trained)
    {
        return _options.Optimizer switch
        {
            OptimizerKind.Sgd => _options.Momentum == 0 ? trained : trained with { Momentum = Zeros() },
            OptimizerKind.RmsProp => trained with { Square = Zeros() },
            OptimizerKind.Adam or OptimizerKind.AdamW => trained with { Average = Zeros(), Square = Zeros() },
            _ => throw new ArgumentOutOfRangeException(nameof(trained), _options.Optimizer, null),
        };

        Tensor Zeros()
        {
            using var noGradients = no_grad();
            return zeros_like(trained.Weight).DetachFromDisposeScope();
        }
    }

    private void StepSgd(Trained trained, Tensor gradient, double rate)
    {
        if (trained.Momentum is { } momentum)
        {
            momentum.mul_(Number(_options.Momentum)).Increase(gradient);
            gradient = _options.Nesterov ? gradient.add(momentum, Number(_options.Momentum)) : momentum;
        }
        trained.Weight.add_(gradient, Number(-rate));
    }

    private void StepAdam(Trained trained, Tensor gradient, double rate)
    {
        trained.Average!.mul_(Number(Beta1)).add_(gradient, Number(1 - Beta1));
        trained.Square!.mul_(Number(Beta2)).addcmul_(gradient, gradient, Number(1 - Beta2));
        var size = (trained.Square.sqrt() / Number(Math.Sqrt(1 - Math.Pow(Beta2, Steps)))).Increase(Epsilon);
        trained.Weight.addcdiv_(trained.Average, size, Number(-rate / (1 - Math.Pow(Beta1, Steps))));
    }
}
