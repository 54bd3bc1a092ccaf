using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>A copy of a network's tensors, to come back to.</summary>
internal sealed class WeightsSnapshot(TorchNetwork network) : IDisposable
{
    private readonly Dictionary<string, Tensor> _copies = new(StringComparer.Ordinal);

    /// <summary>By key; empty before the first <see cref="Take"/>.</summary>
    public IReadOnlyDictionary<string, Tensor> Tensors => _copies;

    public void Take()
    {
        using var _ = no_grad();
        foreach (var (key, tensor) in network.state_dict())
        {
            if (_copies.TryGetValue(key, out var copy)) copy.copy_(tensor);
            else _copies.Add(key, tensor.detach().clone().DetachFromDisposeScope());
        }
    }

    public void Restore()
    {
        using var _ = no_grad();
        foreach (var (key, tensor) in network.state_dict()) tensor.copy_(_copies[key]);
        network.eval();
    }

    public void Dispose()
    {
        foreach (var copy in _copies.Values) copy.Dispose();
    }
}

/// <summary>The exponential moving average of a network's trained weights; early on it forgets faster, as it has less to keep.</summary>
internal sealed class AverageWeights : IDisposable
{
    private readonly Dictionary<string, (Tensor Weights, Tensor Average)> _pairs;
    private readonly double _decay;

    public AverageWeights(TorchNetwork network, double decay)
    {
        _decay = decay;
        using var _ = no_grad();
        _pairs = network.named_parameters().Where(pair => pair.parameter.requires_grad).ToDictionary(
            pair => pair.name, pair => ((Tensor)pair.parameter, pair.parameter.detach().clone().DetachFromDisposeScope()), StringComparer.Ordinal);
    }

    /// <summary>By key.</summary>
    public IEnumerable<(string Key, Tensor Average)> Tensors => _pairs.Select(pair => (pair.Key, pair.Value.Average));

    /// <summary>Steps averaged over; goes into checkpoints.</summary>
    public int Steps { get; set; }

    public void Update()
    {
        using var _ = no_grad();
        var decay = Math.Min(_decay, (1.0 + Steps) / (10 + Steps));
        Steps++;
        foreach (var (weights, average) in _pairs.Values) average.lerp_(weights, 1 - decay);
    }

    /// <summary>Puts the average in the network's place, or back.</summary>
    public void Swap()
    {
        using var _ = no_grad();
        foreach (var (weights, average) in _pairs.Values)
        {
            using var kept = weights.detach().clone();
            weights.copy_(average);
            average.copy_(kept);
        }
    }

    public void Dispose()
    {
        foreach (var (_, average) in _pairs.Values) average.Dispose();
    }
}
