namespace Graft.Transfer;

/// <summary>All methods that learn with the help of another source. Adding one is adding a file and a line here.</summary>
public static class TransferCatalog
{
    public const string Default = "auto";

    /// <summary>In the order in which they are listed to a user.</summary>
    public static IReadOnlyList<TransferMethod> Methods { get; } =
    [
        new AutomaticTransfer(), new TargetAlone(),
        new Pooling(), new BalancedWeighting(), new TrAdaBoost(),
        new LogisticDensityRatio(), new LeastSquaresDensityRatio { Alpha = 0 }, new LeastSquaresDensityRatio(), new Kliep(),
        new MeanAlignment(), new DomainStandardization(), new Coral(), new LinearMonge(), new SubspaceAlignment(), new AdaptiveBatchNorm(),
        new TransferComponentAnalysis(), new JointDistributionAdaptation(),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. Methods.Select(method => method.Name)];

    /// <exception cref="GraftException">There is no such method.</exception>
    public static TransferMethod Find(string name) =>
        Methods.FirstOrDefault(method => method.Name == name)
        ?? throw new GraftException($"There is no transfer method '{name}'. Choose one of {string.Join(", ", Names)}.");
}
