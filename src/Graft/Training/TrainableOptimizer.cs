using Graft.Networks;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>libtorch's optimizer of the weights that are to learn: kernels decay, the rest does not, lower layers may learn slower.</summary>
internal sealed class TrainableOptimizer : IDisposable
{
    private readonly OptimizerHelper _optimizer;
    private readonly TrainingOptions _options;
    private readonly double[] _shares;
    private readonly TorchSharp.Modules.Parameter[] _weights;
    private double _share = 1;

    public TrainableOptimizer(TorchNetwork network, TrainingOptions options)
    {
        _options = options;
        var described = network.Network.Parameters.ToDictionary(parameter => parameter.Key, StringComparer.Ordinal);
        var trained = network.named_parameters().Where(pair => pair.parameter.requires_grad).ToList();
        _weights = [.. trained.Select(pair => pair.parameter)];
        if (trained.Count == 0) throw new GraftException("Every layer is frozen: there is nothing to train. Unfreeze some, at least the head.");

        var layers = trained.Select(pair => described[pair.name].Layer).Distinct().ToList();
        double ShareOf(string layer) => options.LayerwiseLearningRateDecay == 1 || layers.Count == 1
            ? 1
            : Math.Pow(options.LayerwiseLearningRateDecay, 1 - layers.IndexOf(layer) / (layers.Count - 1.0));
        // Decaying kernels first, then the rest; each layer by itself only where it has a rate of its own.
        var groups = trained.GroupBy(pair => (Decays: described[pair.name].IsKernel, Share: ShareOf(described[pair.name].Layer)))
            .OrderByDescending(group => group.Key.Decays)
            .Select(group => (Weights: group.Select(pair => pair.parameter).ToList(), Decay: group.Key.Decays ? options.WeightDecay : 0, group.Key.Share))
            .ToList();
        _shares = [.. groups.Select(group => group.Share)];
        var (rate, momentum) = (options.LearningRate, options.Momentum);
        _optimizer = options.Optimizer switch
        {
            OptimizerKind.Sgd => optim.SGD(
                groups.Select(group => new SGD.ParamGroup(group.Weights, new() { weight_decay = group.Decay })), rate, momentum,
                nesterov: options.Nesterov && momentum > 0),
            OptimizerKind.RmsProp => optim.RMSProp(
                groups.Select(group => new RMSProp.ParamGroup(group.Weights, new() { weight_decay = group.Decay })), rate),
            OptimizerKind.Adam => optim.Adam(
                groups.Select(group => new Adam.ParamGroup(group.Weights, new() { weight_decay = group.Decay })), rate),
            OptimizerKind.AdamW => optim.AdamW(
                groups.Select(group => new AdamW.ParamGroup(group.Weights, new() { weight_decay = group.Decay })), rate, weight_decay: 0),
            _ => throw new ArgumentOutOfRangeException(nameof(options), options.Optimizer, null),
        };
        if (_shares.Any(share => share != 1)) Apply();
    }

    /// <summary>The optimizer's memory, by weight and name, such as Adam's two averages; what is not there yet is left out.</summary>
    public IEnumerable<(string Key, Tensor Value)> Tensors => States.SelectMany((state, index) => (state switch
    {
        SGD.State sgd => [("momentum", sgd.momentum_buffer)],
        RMSProp.State rms => [("square", rms.square_avg), ("momentum", rms.momentum_buffer), ("gradient", rms.grad_avg)],
        Adam.State adam => [("average", adam.exp_avg), ("square", adam.exp_avg_sq)],
        AdamW.State adam => [("average", adam.exp_avg), ("square", adam.exp_avg_sq)],
        _ => Array.Empty<(string, Tensor)>(),
    }).Where(pair => pair.Item2 is not null).Select(pair => ($"{index}.{pair.Item1}", pair.Item2)));

    /// <summary>Steps done, as the optimizer's own corrections count them.</summary>
    public long Steps
    {
        get => States.Select(state => state switch { RMSProp.State rms => rms.step, Adam.State adam => adam.step, AdamW.State adam => adam.step, _ => 0L })
            .DefaultIfEmpty().Max();
        set
        {
            foreach (var state in States)
            {
                if (state is RMSProp.State rms) rms.step = value;
                if (state is Adam.State adam) adam.step = value;
                if (state is AdamW.State adamW) adamW.step = value;
            }
        }
    }

    private List<OptimizerState> States => _optimizer.state_dict().State;

    /// <summary>Lets gradients go: the next ones take no adding to, and their memory is free for activations until then.</summary>
    public void ForgetGradients()
    {
        foreach (var weight in _weights) weight.grad = null;
    }

    public void Step() => _optimizer.step();

    /// <summary>Scales all gradients down together where their norm is larger than this.</summary>
    public void ClipGradients(double norm) => nn.utils.clip_grad_norm_(_weights, norm);

    /// <summary>Sets the learning rate to a share of the options'; returns it.</summary>
    public double SetShare(double share)
    {
        if (share != _share)
        {
            _share = share;
            Apply();
        }
        return share == 1 ? _options.LearningRate : share * _options.LearningRate;
    }

    /// <summary>Puts back a momentum that is made only in the first step.</summary>
    public void RestoreMomentum(int index, Tensor value)
    {
        if (States[index] is SGD.State sgd) sgd.momentum_buffer = value.DetachFromDisposeScope();
    }

    public void Dispose() => _optimizer.Dispose();

    private void Apply()
    {
        foreach (var (group, share) in _optimizer.ParamGroups.Zip(_shares)) group.LearningRate = _share * share * _options.LearningRate;
    }
}
